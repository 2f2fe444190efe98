package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gobeaker/gobeaker/stores/internal/skew"
)

// Now implements [stores.Clock] by TIME, of a cluster of every master.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var clocks skew.Widest
	ask := func(ctx context.Context, client *redis.Client) error {
		return s.try(ctx, false, func() error {
			asked := time.Now()
			said, err := client.Time(ctx).Result()
			if err == nil {
				clocks.Add(said, asked, time.Now())
			}
			return err
		})
	}
	var err error
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, ask)
	} else {
		err = ask(ctx, s.client.(*redis.Client))
	}
	if err != nil {
		return time.Time{}, failed("now", "", cause(ctx, err))
	}
	return clocks.Now(), nil
}
