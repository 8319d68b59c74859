package contents

import (
	"path"
	"regexp"
)

// scanned is what a scanner describes by its path, whatever is in it: what the catalogers
// of syft look for in images. A path too many costs a scan, one too few hides a package;
// a test beside the scanner compares the two.
var scanned = regexp.MustCompile(`(?i)(^|/)(` +
	// databases of packages, and what package managers leave beside what they install
	`lib/([do]pkg|apk/db|pacman/local)/.*|rpm/packages(\.db)?|rpmdb\.sqlite|container-manifest-2|db/pkg/.*|nix/(store|var)/.*` +
	`|(etc|usr/lib)/(os-release|system-release-cpe|redhat-release)|\.packlist|install(ed)?\.json|package\.json|packages\.lock\.json` +
	`|metadata|pkg-info|description|conaninfo\.txt|info\.plist|\.bitnami_components\.json|release|cellar/.*|library/taps/.*` +
	`|snap/(snapcraft|manifest)\.yaml|snappy/dpkg\.yaml|changelog\.debian\.gz|wp-content/plugins/.*` +
	`|[^/]*\.(gguf|safetensors|egg-info|gemspec|rockspec|deps\.json|spdx|reg|control|drv|dll|exe|bpl)` +
	// archives
	`|[^/]*\.([jwepsnk]ar|jpi|hpi|far|rar|zap|lpkg|zip|tar(\.\w+)?|t(gz|bz|bz2|br|lz4|sz|xz|zst|zstd))` +
	// kernels, libraries, and programs that are known by their name
	`|(kernel|vmlinu[xz]|b?zimage)(-[^/]*)?|[^/]*\.(ko(\.\w+)?|so(\.[^/]*)?|dylib|a)|[^/]*\.so[^/]*` +
	`|(python|libpython|libpypy|composer|ghc|libav|libswresample|php|libphp)[^/]*` +
	`|arangosh|auditbeat|bash|beam\.smp|bun|busybox|cabal|chrome|consul|curl|dart|deno|elastic-agent|elixir(\.app)?|envoy|erlexec` +
	`|ffmpeg|filebeat|firefox|fluent-bit|gcc|getopt|go|grafana(-server)?|gzip|haproxy|heartbeat|helm|httpd|java|jdb|jq|julia` +
	`|ldapsearch|lighttpd|mariadb|memcached|metricbeat|mongod|mysqld?|ndb_mgmd|ndbd|ndbmtd|nginx(-ingress-controller)?|node|openssl` +
	`|packetbeat|perl|pilot-(agent|discovery)|postgres|proftpd|redis-server|ruby|sqlcipher|stack|swipl|traefik|valkey-server|vault|wp` +
	`|xtrabackup|xz|zstd` +
	`)$`)

// Scanned says whether a scanner may have something to say about a file because of its
// path. Go programs are not asked: their build information says more.
func Scanned(p string) bool {
	return path.Base(p) != "zoneinfo.zip" && scanned.MatchString(p) // that one is Go's own time zones
}
