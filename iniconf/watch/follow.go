package watch

import (
	"context"
)

// Follow keeps what load loads up to date: it calls load, and again whenever one of the
// files that load returned has changed, until ctx ends. Load reads the files and puts what
// is in them into effect, or returns an error and leaves all as it is.
//
// If the first load fails, Follow returns its error. A later failure is logged, once while
// it stays the same; the files of the last good load, those that load returned with the
// error, and one that the error says is missing are watched then, so that load is called
// when it is put right, and at each recheck, as it may be a store that did not answer. It
// is called once more than files change at the beginning and when there are new files (see
// [Watcher.Run]), so it should do nothing if all is as before. It runs in Follow's
// goroutine. O.Files are not needed.
func Follow(ctx context.Context, o Options, load func() (files []string, err error)) error {
	files, err := load()
	if err != nil {
		return err
	}
	o.Files = files
	w, err := New(o)
	if err != nil {
		return err
	}
	said := ""
	return w.Run(ctx, func() {
		files, err := load()
		switch {
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			w.opts.Logger.Error("configuration not reloaded: the one before stays", "error", err)
		}
		if err := w.Update(files, err); err != nil {
			w.opts.Logger.Error("the files of the configuration cannot be watched", "error", err)
		}
	})
}
