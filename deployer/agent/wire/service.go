package wire

import (
	"context"

	"google.golang.org/grpc"
)

// The methods of the service.
const (
	service      = "seatrial.agent.v1.Agents"
	enrolMethod  = "/" + service + "/Enrol"
	renewMethod  = "/" + service + "/Renew"
	streamMethod = "/" + service + "/Stream"
)

// Server is the server's side.
type Server interface {
	Enrol(context.Context, *Enrol) (*Enrolled, error)
	Renew(context.Context, *Renew) (*Renewed, error)
	Stream(grpc.ServerStream) error // of Messages out and Reports in
}

// Register offers a server's side.
func Register(to grpc.ServiceRegistrar, s Server) {
	to.RegisterService(&grpc.ServiceDesc{
		ServiceName: service,
		HandlerType: (*Server)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Enrol", Handler: unary(Server.Enrol)},
			{MethodName: "Renew", Handler: unary(Server.Renew)},
		},
		Streams: []grpc.StreamDesc{{StreamName: "Stream", ServerStreams: true, ClientStreams: true,
			Handler: func(s any, stream grpc.ServerStream) error { return s.(Server).Stream(stream) }}},
	}, s)
}

func unary[In, Out any](do func(Server, context.Context, *In) (*Out, error)) grpc.MethodHandler {
	return func(s any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := read(in); err != nil {
			return nil, err
		}
		return do(s.(Server), ctx, in)
	}
}

// CallEnrol asks a server for an identity.
func CallEnrol(ctx context.Context, c grpc.ClientConnInterface, in *Enrol) (*Enrolled, error) {
	out := new(Enrolled)
	return out, c.Invoke(ctx, enrolMethod, in, out)
}

// CallRenew asks a server for the next certificate.
func CallRenew(ctx context.Context, c grpc.ClientConnInterface, in *Renew) (*Renewed, error) {
	out := new(Renewed)
	return out, c.Invoke(ctx, renewMethod, in, out)
}

// OpenStream begins the stream, of Reports out and Messages in.
func OpenStream(ctx context.Context, c grpc.ClientConnInterface) (grpc.ClientStream, error) {
	return c.NewStream(ctx, &grpc.StreamDesc{StreamName: "Stream", ServerStreams: true, ClientStreams: true}, streamMethod)
}
