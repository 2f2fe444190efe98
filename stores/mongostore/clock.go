package mongostore

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/gobeaker/gobeaker/stores/internal/skew"
)

var errNoTime = errors.New("MongoDB does not tell its time")

// Now implements [stores.Clock] by "hello", which everybody may ask, of the primary.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	c, err := s.collection()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return time.Time{}, s.failed(ctx, "now", "", err)
	}
	var answer struct {
		LocalTime time.Time `bson:"localTime"`
	}
	var clocks skew.Widest
	for _, name := range []string{"hello", "isMaster"} { // the name before MongoDB 4.4.2
		asked := time.Now()
		err = c.Database().RunCommand(ctx, bson.D{{Key: name, Value: 1}}).Decode(&answer)
		if err == nil {
			clocks.Add(answer.LocalTime, asked, time.Now())
			break
		}
		if ctx.Err() != nil {
			break
		}
	}
	switch {
	case err != nil:
		return time.Time{}, s.failed(ctx, "now", "", reading(err))
	case answer.LocalTime.IsZero():
		return time.Time{}, s.failed(ctx, "now", "", errNoTime)
	}
	return clocks.Now(), nil
}
