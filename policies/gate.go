package policies

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/pod-security-admission/policy"

	"github.com/seatrial/seatrial/policies/rego"
	"github.com/seatrial/seatrial/release"
)

// The names of the built-in policies, as an environment's list of policies has them.
const (
	SignedImages          = "signed-images"           // every image of the manifests is signed, described and attested
	NoBarePods            = "no-bare-pods"            // a Pod without a controller does not survive its node
	PodSecurityBaseline   = "pod-security-baseline"   // the Pod Security Standards, as the API server checks them
	PodSecurityRestricted = "pod-security-restricted" //
)

// The names of what is checked for every environment, listed or not.
const (
	ruleObjects  = "objects"           // every object has a kind and a name, and no unknown kind hides a pod
	ruleScope    = "scope"             // the project's namespaces and cluster-scoped kinds
	ruleDigest   = "images-by-digest"  // no image by tag
	ruleArtifact = "artifact-verified" // the release's own image is signed, described and attested
)

// ReviewedKinds is the annotation on an environment that lists custom kinds with pods
// inside that a person has reviewed: "Rollout.argoproj.io, Sandbox.example.com".
const ReviewedKinds = "seatrial.dev/reviewed-kinds"

// Config bounds a Gate. The zero value is useful: see the defaults.
type Config struct {
	Always    []string      // policies for every environment besides its own list
	TimeLimit time.Duration // of one rego policy over all objects of a release; default 5s
	// ClusterScoped knows the scope of kinds that Kubernetes does not come with, for
	// example from discovery; an error means that somebody who may know could not be asked.
	// Left out: a custom kind without a namespace is taken for cluster-scoped.
	ClusterScoped func(ctx context.Context, apiVersion, kind string) (clusterScoped, known bool, err error)
	Keys          []string         // ids of the keys that count; left out: every key that VerifyImage trusts
	Now           func() time.Time // default time.Now
}

// Validate says what is wrong with the configuration.
func (c Config) Validate() error {
	if c.TimeLimit < 0 {
		return fmt.Errorf("policies: time limit %s: want more than nothing", c.TimeLimit)
	}
	return nil
}

// Input is what is judged: one release's manifests as they would be applied to one
// environment, and the rules of the platform repo for it.
type Input struct {
	Release     release.Release // its Artifact may be nil when a person pushed the manifests
	Environment release.Environment
	Project     release.Project
	Manifests   []map[string]any
	Policies    map[string]string // rego of the platform repo, file name to source
	Unbuilt     string            // "repository@digest" of an image that will only be made: it is not asked for signatures
}

// Gate checks artifacts and manifests. It compiles each policy once, at its first use,
// and is safe for concurrent use.
type Gate struct {
	config      Config
	verify      VerifyImage
	podSecurity func() (policy.Evaluator, error)
	rego        *rego.Engine
}

// New is a gate that verifies images with verify. Without one every image is refused.
func New(c Config, verify VerifyImage) (*Gate, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.TimeLimit == 0 {
		c.TimeLimit = 5 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Gate{config: c, verify: verify, podSecurity: sync.OnceValues(loadPodSecurity), rego: rego.New(c.TimeLimit)}, nil
}

// Check says whether the manifests may go to the environment. The verdict carries one
// evidence per policy. An error means that something could not be asked, such as the
// registry, and that asking again may help.
func (g *Gate) Check(ctx context.Context, in Input) (release.Verdict, error) {
	env := release.Env(in.Environment.Meta.Name)
	all, unreadable := objects(in.Manifests)
	results, err := g.results(ctx, in, all, unreadable)
	if err != nil {
		return release.Verdict{}, fmt.Errorf("check %s for %s: %w", in.Release.ID, env, err)
	}
	now, bundle := g.config.Now(), g.Digest(in.Environment, in.Project, in.Policies)
	var evidence []release.Evidence
	for _, res := range results {
		evidence = append(evidence, res.evidence(len(all), bundle, now))
	}
	return verdict(env, results, evidence), nil
}

// results runs what is checked always, then what is asked for, in that order.
func (g *Gate) results(ctx context.Context, in Input, all []object, unreadable []Problem) ([]result, error) {
	pods, readable := checkObjects(all, unreadable, reviewedKinds(in.Environment))
	images := imagesOf(all, pods)
	scope, err := g.checkScope(ctx, in, all)
	if err != nil {
		return nil, err
	}
	out := []result{readable, scope, checkDigests(images)}
	v := &verifier{gate: g, in: in, seen: map[string][]string{}, keys: map[string]bool{}}
	if in.Release.Artifact != nil {
		res, err := v.checkArtifact(ctx, images)
		if err != nil {
			return nil, err
		}
		out = append(out, res)
	}
	read := sync.OnceValues(func() (rego.Objects, error) { return regoObjects(in, all) })
	for _, name := range g.asked(in.Environment) {
		var res result
		var err error
		switch name {
		case SignedImages:
			res, err = v.checkSigned(ctx, images)
		case NoBarePods:
			res = checkBare(all)
		case PodSecurityBaseline, PodSecurityRestricted:
			res = g.checkPodSecurity(name, pods)
		default:
			res, err = g.checkRego(ctx, name, in, all, read)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, res)
	}
	return append(out, checkNames(in.Policies)...), nil
}
