package policies

import (
	"fmt"
	"strings"

	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

const podSecurityDocs = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"

// podSecurityFix says what to write, by a word of the standard's own reason.
var podSecurityFix = [...][2]string{
	{"allowPrivilegeEscalation", "set securityContext.allowPrivilegeEscalation: false on the container"},
	{"unrestricted capabilities", `set securityContext.capabilities.drop: ["ALL"] on the container and add at most NET_BIND_SERVICE`},
	{"non-default capabilities", "remove the added capabilities"},
	{"runAsNonRoot", "set securityContext.runAsNonRoot: true and a USER in the image that is not root"},
	{"runAsUser", "set securityContext.runAsUser to something but 0"},
	{"seccompProfile", "set securityContext.seccompProfile.type: RuntimeDefault"},
	{"privileged", "remove securityContext.privileged"},
	{"host namespaces", "remove hostNetwork, hostPID and hostIPC"},
	{"hostPath", "use a PersistentVolumeClaim, a ConfigMap or an emptyDir instead of hostPath"},
	{"hostPort", "remove hostPort and use a Service"},
	{"restricted volume types", "use only configMap, secret, emptyDir, projected, downwardAPI, persistentVolumeClaim, ephemeral, csi or image volumes"},
}

// checkPodSecurity judges pods as the API server would in a namespace of that level.
func (g *Gate) checkPodSecurity(name string, pods []pod) result {
	level := api.LevelBaseline
	if name == PodSecurityRestricted {
		level = api.LevelRestricted
	}
	res := result{policy: name, claim: fmt.Sprintf("every pod keeps to the %s Pod Security Standard", level),
		facts: map[string]string{"pods": fmt.Sprint(len(pods)), "standard": api.GetAPIVersion().String()}}
	evaluator, err := g.podSecurity()
	if err != nil {
		res.problems = append(res.problems, Problem{Policy: name, Why: "the standard's checks do not load: " + err.Error(), Fix: "this is a fault of this build of the server: tell its operator"})
		return res
	}
	for _, p := range pods {
		checks := evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &p.meta, &p.spec)
		if len(checks) == 0 {
			res.problems = append(res.problems, Problem{Policy: name, Object: p.owner.String(), Why: "no check of the standard ran", Fix: "this is a fault of this build of the server: tell its operator"})
		}
		for _, c := range checks {
			if c.Allowed {
				continue
			}
			why := c.ForbiddenReason
			if c.ForbiddenDetail != "" {
				why += ": " + c.ForbiddenDetail
			}
			res.problems = append(res.problems, Problem{Policy: name, Object: p.owner.String(), Why: clip(why, maxText), Fix: fixFor(c.ForbiddenReason), Link: podSecurityDocs})
		}
	}
	return res
}

func fixFor(reason string) string {
	for _, f := range podSecurityFix {
		if strings.Contains(reason, f[0]) {
			return f[1]
		}
	}
	return "see the standard, " + podSecurityDocs
}

func loadPodSecurity() (policy.Evaluator, error) {
	return policy.NewEvaluator(policy.DefaultChecks(), nil)
}
