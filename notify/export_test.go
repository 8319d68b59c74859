package notify

// What the fuzz test looks at without a robot.
var (
	Markdown = markdown
	Digest   = digest
)

// LetterID is of the letter that messages become.
func LetterID(messages []Message) string { return letters{}.letter(messages).ID }
