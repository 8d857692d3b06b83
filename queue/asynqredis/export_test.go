package asynqredis

// DoneDigest is that of the script which ends several tasks.
var DoneDigest = doneScript.Hash()

// Waiting is how many ends of tasks wait to be sent with others.
func Waiting(c *Client) int { return c.share.Waiting() + c.ends.group.Waiting() }
