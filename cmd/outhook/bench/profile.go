package bench

import (
	"context"
	"errors"
	"os"
	"runtime/pprof"
)

// profileSelf returns an order: a file begins a CPU profile of this process in it, an empty one ends it.
func profileSelf() func(context.Context, string) (none, error) {
	var file *os.File
	return func(_ context.Context, path string) (none, error) {
		if path == "" {
			pprof.StopCPUProfile()
			if file == nil {
				return none{}, errors.New("no profile was begun")
			}
			return none{}, file.Close()
		}
		var err error
		if file, err = os.Create(path); err != nil {
			return none{}, err
		}
		return none{}, pprof.StartCPUProfile(file)
	}
}
