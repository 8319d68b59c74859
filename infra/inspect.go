package infra

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits of a configuration.
const (
	maxFiles = 2000
	maxFile  = 1 << 20 // bytes
)

// inspect reads the configuration before terraform does and says what in it would run a
// program while planning or applying; empty when nothing would. Planning is not
// harmless: an external data source runs then.
func inspect(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	why, files := "", 0
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// A link may point out of the folder that was read; providers are links into the mirror.
		if d.Type()&fs.ModeSymlink != 0 && !strings.HasPrefix(path, ".terraform/providers/") {
			why = path + " is a link"
			return fs.SkipAll
		}
		if d.IsDir() && path == ".terraform/providers" {
			return fs.SkipDir
		}
		if d.IsDir() || !configuration(path) {
			return nil
		}
		if files++; files > maxFiles {
			why = fmt.Sprintf("there are more than %d files", maxFiles)
			return fs.SkipAll
		}
		if why, err = inspectFile(root, path); why != "" {
			return fs.SkipAll
		}
		return err
	})
	return why, err
}

func configuration(path string) bool {
	for _, end := range []string{".tf", ".tf.json", ".tofu", ".tofu.json"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

func inspectFile(root *os.Root, path string) (string, error) {
	if !strings.HasSuffix(path, ".tf") {
		return path + ": only .tf files are read here, so that what runs can be judged", nil
	}
	f, err := root.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxFile {
		return fmt.Sprintf("%s has more than %d bytes", path, maxFile), nil
	}
	parsed, problems := hclparse.NewParser().ParseHCL(text, path)
	if problems.HasErrors() {
		return problems.Error(), nil
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return path + " does not read as a configuration", nil
	}
	for _, b := range body.Blocks {
		if why := inspectTop(b); why != "" {
			return fmt.Sprintf("%s:%d: %s", path, b.TypeRange.Start.Line, why), nil
		}
	}
	return "", nil
}

// inspectTop judges one block of the top level; words that we do not know are refused,
// because a newer terraform may run something for them.
func inspectTop(b *hclsyntax.Block) string {
	switch b.Type {
	case "data":
		if len(b.Labels) > 0 && b.Labels[0] == "external" {
			return "an external data source runs a program"
		}
	case "resource", "removed":
		return provisioner(b.Body)
	case "check": // may have a data source of its own
		for _, inner := range b.Body.Blocks {
			if why := inspectTop(inner); inner.Type == "data" && why != "" {
				return why
			}
		}
	case "terraform", "provider", "module", "variable", "output", "locals", "moved", "import":
	default:
		return fmt.Sprintf("what a block %q runs is not known here", b.Type)
	}
	return ""
}

func provisioner(body *hclsyntax.Body) string {
	for _, b := range body.Blocks {
		if b.Type == "provisioner" {
			return "a provisioner runs a program"
		}
		if b.Type == "dynamic" && len(b.Labels) > 0 && b.Labels[0] == "provisioner" {
			return "a provisioner runs a program"
		}
		if why := provisioner(b.Body); why != "" {
			return why
		}
	}
	return ""
}
