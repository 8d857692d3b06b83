package webhook

// Condition is how bad it is what a [Finding] tells.
type Condition string

// The conditions, the best first.
const (
	// ConditionOK: nothing to do.
	ConditionOK Condition = "ok"
	// ConditionWarn: it works, and somebody should look into it.
	ConditionWarn Condition = "warn"
	// ConditionBad: events are refused, delayed or in danger, or it could not be found out.
	ConditionBad Condition = "bad"
)

// Finding is what one look at one thing found.
type Finding struct {
	// Check names what was looked at: "persistence".
	Check string
	// Verdict on it.
	Verdict Condition
	// Text says what was found. It holds no secret, no URL query, no payload and no address of a receiver.
	Text string
	// Advice says what to do, with a command where there is one; empty when Verdict is ConditionOK.
	Advice string
}

// Count answers how many of the findings have the verdict.
func (c Condition) Count(findings []Finding) int {
	n := 0
	for _, f := range findings {
		if f.Verdict == c {
			n++
		}
	}
	return n
}
