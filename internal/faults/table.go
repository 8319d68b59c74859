package faults

import (
	"maps"
	"slices"
	"sync"
	"time"
)

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func needed(name, path string, r reader) Field {
	return Field{Name: name, Path: path, Needed: true, read: r}
}

func optional(name, path string, r reader) Field { return Field{Name: name, Path: path, read: r} }

func filled(name, path string, value any, r reader) Field {
	return Field{Name: name, Path: path, Default: value, read: r}
}

// Kinds is the table, made once; nobody may change it. Every other place asks it.
var Kinds = sync.OnceValue(kinds)

func kinds() []Kind {
	const elsewhere = "it acts on machines of an account, which no namespace, label or limit of an experiment covers"
	return []Kind{
		{Name: "PodChaos", Container: true, Chosen: true, Actions: []Action{
			{Name: "pod-kill", OneShot: true, Disrupts: true, Fields: []Field{filled("gracePeriod", "gracePeriod", int64(0), whole(0, 3600))}},
			{Name: "pod-failure", Disrupts: true},
			{Name: "container-kill", OneShot: true, Disrupts: true, NeedsContainer: true},
		}},
		{Name: "NetworkChaos", Chosen: true, Actions: network()},
		{Name: "StressChaos", Container: true, Actions: stress()},
		{Name: "DNSChaos", Container: true, Chosen: true, Actions: []Action{
			{Name: "error", Fields: []Field{domains()}}, {Name: "random", Fields: []Field{domains()}},
		}},
		{Name: "HTTPChaos", Actions: http()},
		{Name: "IOChaos", Container: true, Chosen: true, Actions: files()},
		{Name: "TimeChaos", Container: true, Actions: []Action{{Name: "shift", Fields: []Field{
			needed("timeOffset", "timeOffset", offset()),
			filled("clockIds", "clockIds", []any{"CLOCK_REALTIME"}, list(matching("a clock like CLOCK_REALTIME", `^CLOCK_[A-Z_]{3,40}$`))),
		}}}},
		{Name: "JVMChaos", Container: true, Chosen: true, Actions: java()},
		{Name: "KernelChaos", Container: true, Actions: []Action{{Name: "fail", Fields: []Field{
			needed("failtype", "failKernRequest.failtype", whole(0, 2)),
			filled("probability", "failKernRequest.probability", int64(100), whole(1, 100)),
			filled("times", "failKernRequest.times", int64(1), whole(1, 1_000_000)),
			optional("headers", "failKernRequest.headers", list(matching("a header like linux/mmzone.h", `^[a-z0-9_/-]+\.h$`))),
			optional("callchain", "failKernRequest.callchain", frames()),
		}}}},
		{Name: "BlockChaos", Container: true, Chosen: true, Actions: []Action{{Name: "delay", Fields: []Field{
			needed("volumeName", "volumeName", matching("the name of a volume of the pod", `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)),
			needed("latency", "delay.latency", duration()),
			filled("jitter", "delay.jitter", "0ms", span(0, maxJitter)),
			filled("correlation", "delay.correlation", "0", share()),
		}}}},
		{Name: ConnectionPool, Own: true, Shared: true, Actions: []Action{{Name: "limit", Fields: pool()}}},
		{Name: Exec, Own: true, Container: true, Actions: []Action{{Name: "run", NeedsContainer: true, Fields: programs()}}},
		{Name: "AWSChaos", Refused: elsewhere}, {Name: "AzureChaos", Refused: elsewhere}, {Name: "GCPChaos", Refused: elsewhere},
		{Name: "PhysicalMachineChaos", Refused: elsewhere},
		{Name: "Schedule", Refused: "an experiment has a schedule of its own: write spec.schedule"},
		{Name: "Workflow", Refused: "a trial lists its experiments, and nothing would revert the parts of a workflow"},
	}
}

// Kinds of our own.
const (
	ConnectionPool = "ConnectionPool" // limits a database user's connections
	Exec           = "Exec"           // runs a program in containers, and another that takes it back
)

const maxJitter = 3_600_000_000_000 // an hour

// ends are what a network fault is told of the other end.
func ends(direction reader) []Field {
	return []Field{
		filled("direction", "direction", "to", direction),
		optional("target", "target.selector.labelSelectors", labels()),
		optional("targetNamespace", "", matching("a namespace", `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)),
		optional("externalTargets", "externalTargets", list(outside())),
	}
}

func network() []Action {
	// What shapes packets works on those that leave: Chaos Mesh puts it on the other end's
	// pods for any other direction.
	leaving := func() []Field { return ends(oneOf("to")) }
	correlated := func(action string) []Field {
		return append(leaving(), needed(action, action+"."+action, share()), filled("correlation", action+".correlation", "0", share()))
	}
	all := []Action{
		{Name: "partition", Disrupts: true, Fields: ends(oneOf("to", "from", "both"))},
		{Name: "bandwidth", Fields: append(leaving(),
			needed("rate", "bandwidth.rate", matching("a rate like 1mbps (bytes) or 10mbit", `^[1-9][0-9]{0,9}(bit|kbit|mbit|gbit|tbit|bps|kbps|mbps|gbps|tbps)$`)),
			filled("limit", "bandwidth.limit", int64(20971520), whole(1, 1<<32-1)),
			filled("buffer", "bandwidth.buffer", int64(10000), whole(1, 1<<32-1)))},
		{Name: "delay", Fields: append(leaving(), needed("latency", "delay.latency", duration()),
			filled("jitter", "delay.jitter", "0ms", span(0, maxJitter)), filled("correlation", "delay.correlation", "0", share()))},
		{Name: "loss", Fields: correlated("loss")},
		{Name: "duplicate", Fields: correlated("duplicate")},
		{Name: "corrupt", Fields: correlated("corrupt")},
	}
	for i := range all {
		all[i].Peer, all[i].PeerNamespace = "target", "targetNamespace"
	}
	return all
}

func stress() []Action {
	return []Action{
		{Name: "cpu", Fields: []Field{
			filled("workers", "stressors.cpu.workers", int64(1), whole(1, 64)),
			filled("load", "stressors.cpu.load", int64(100), whole(1, 100)),
		}},
		{Name: "memory", Fields: []Field{
			filled("workers", "stressors.memory.workers", int64(1), whole(1, 64)),
			needed("size", "stressors.memory.size", matching("a size like 256MB or 50%", `^([1-9][0-9]{0,5}(B|KB|MB|GB|KiB|MiB|GiB)|[1-9][0-9]?%|100%)$`)),
		}},
	}
}

func domains() Field {
	return optional("patterns", "patterns", list(matching("a domain like shop.example or pay.*", `^[a-z0-9?]([-a-z0-9.?]*[a-z0-9?])?(\.?\*)?$`)))
}

func http() []Action {
	path := matching("a path like /api/*", `^(/[!-~]{0,500}|\*)$`)
	method := oneOf("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT")
	which := func(more ...Field) []Field {
		return append([]Field{
			filled("target", "target", "Request", oneOf("Request", "Response")),
			needed("port", "port", whole(1, 65535)),
			filled("path", "path", "*", path),
			optional("method", "method", method),
			optional("code", "code", whole(100, 599)),
			optional("requestHeaders", "request_headers", headers()),
			optional("responseHeaders", "response_headers", headers()),
		}, more...)
	}
	return []Action{
		{Name: "abort", Fields: which(), Fixed: map[string]any{"abort": true}},
		{Name: "delay", Fields: which(needed("delay", "delay", duration()))},
		{Name: "replace", Any: []string{"newPath", "newMethod", "newCode", "newBody", "newHeaders"}, Fields: which(
			optional("newPath", "replace.path", path), optional("newMethod", "replace.method", method), optional("newCode", "replace.code", whole(100, 599)),
			optional("newBody", "replace.body", encoded()), optional("newHeaders", "replace.headers", headers()))},
		{Name: "patch", Fields: which(needed("addHeaders", "patch.headers", listed(headers())))},
	}
}

func files() []Action {
	folder := matching("an absolute path", `^/[^\x00]{1,1000}$`)
	calls := oneOf("lookup", "forget", "getattr", "setattr", "readlink", "mknod", "mkdir", "unlink", "rmdir", "symlink", "rename", "link", "open", "read", "write",
		"flush", "release", "fsync", "opendir", "readdir", "releasedir", "fsyncdir", "statfs", "setxattr", "getxattr", "listxattr", "removexattr", "access")
	which := func(more ...Field) []Field {
		return append([]Field{
			needed("volumePath", "volumePath", folder),
			optional("path", "path", folder),
			optional("methods", "methods", list(calls)),
			filled("percent", "percent", int64(100), whole(1, 100)),
		}, more...)
	}
	return []Action{
		{Name: "latency", Fields: which(needed("delay", "delay", duration()))},
		{Name: "fault", Fields: which(needed("errno", "errno", whole(1, 133)))},
		{Name: "attrOverride", Any: []string{"perm", "size", "uid", "gid"}, Fields: which(
			optional("perm", "attr.perm", whole(0, 0o7777)), optional("size", "attr.size", whole(0, 1<<40)),
			optional("uid", "attr.uid", whole(0, 1<<31)), optional("gid", "attr.gid", whole(0, 1<<31)))},
		{Name: "mistake", Fields: which(
			filled("filling", "mistake.filling", "zero", oneOf("zero", "random")),
			filled("maxOccurrences", "mistake.maxOccurrences", int64(1), whole(1, 1000)),
			filled("maxLength", "mistake.maxLength", int64(1), whole(1, 1<<20)))},
	}
}

func java() []Action {
	agent := func(more ...Field) []Field {
		return append([]Field{filled("port", "port", int64(9277), whole(1, 65535)), optional("pid", "pid", whole(1, 1<<22))}, more...)
	}
	name := matching("a name of Java", `^[A-Za-z_$<][A-Za-z0-9_$.<>]{0,300}$`)
	method := func(more ...Field) []Field {
		return agent(append([]Field{needed("class", "class", name), needed("method", "method", name)}, more...)...)
	}
	return []Action{
		{Name: "latency", Fields: method(needed("latency", "latency", whole(1, 3_600_000)))},
		{Name: "return", Fields: method(needed("returnValue", "returnValue", text("a value")))},
		{Name: "exception", Fields: method(needed("exception", "exception", text(`an exception like java.io.IOException("BOOM")`)))},
		{Name: "stress", Any: []string{"cpuCount", "memType"}, Fields: agent(
			optional("cpuCount", "cpuCount", whole(1, 64)), optional("memType", "memType", oneOf("stack", "heap")))},
		{Name: "gc", Fields: agent()},
		{Name: "ruleData", Fields: agent(needed("ruleData", "ruleData", text("a rule of Byteman")))},
		{Name: "mysql", Any: []string{"exception", "latency"}, Fields: agent(
			needed("mysqlConnectorVersion", "mysqlConnectorVersion", oneOf("5", "8")),
			optional("database", "database", text("a database")), optional("table", "table", text("a table")),
			optional("sqlType", "sqlType", oneOf("select", "insert", "update", "delete", "replace")),
			optional("exception", "exception", text("a message")), optional("latency", "latency", whole(1, 3_600_000)))},
	}
}

// pool is what limiting a user's connections wants to know. Names are of few characters,
// because databases take them in statements and not as arguments.
func pool() []Field {
	return []Field{
		needed("database", "", oneOf("mysql", "postgres")),
		needed("dsnSecret", "", matching("the name of a secret, never the address itself", `^[A-Za-z][-A-Za-z0-9_]*$`)),
		needed("user", "", matching("the application's user: letters, digits, _ . -", `^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$`)),
		filled("host", "", "%", matching("the host part of a user of MySQL", `^[A-Za-z0-9_.:%/-]{1,60}$`)),
		needed("connections", "", whole(1, 100_000)),
	}
}

// programs are what is run in a container. Without the one that puts back nothing is run.
func programs() []Field {
	return []Field{
		needed("command", "", program("the program that breaks something, and its arguments")),
		needed("revert", "", program("the program that puts it back, and its arguments; what nothing puts back is not broken")),
		optional("check", "", program("a program, and its arguments, that ends with 0 while the fault is in effect")),
		filled("timeout", "", "10s", within(time.Second, 20*time.Second)),
	}
}
