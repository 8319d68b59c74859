package notify

// What the fuzz test looks at without a robot.
var (
	Markdown = markdown
	Digest   = digest
)
