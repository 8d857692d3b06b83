package queue

import "errors"

// ErrUnfinished is what [Queue.Run] answers when it gave up waiting for handlers that outlived their context. Their tasks are
// back in the queue: those deliveries will be attempted again.
var ErrUnfinished = errors.New("handlers outlived their context")

// What Asynq keeps as a task's last error, and asynqmon shows. These texts are constant: a handler's own error may name what
// must not be stored, and is in the log.
var (
	errNewer       = errors.New("not a task of this version")
	errUndecodable = errors.New("payload cannot be decoded")
	errPanicked    = errors.New("handler panicked, see the log")
	errHandler     = errors.New("handler error, see the log")
	errSaturated   = errors.New("no free slot in this process")
)
