package sqlstore

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pool is how many connections there are, and for how long.
type pool struct {
	idle    int           // how many stay open
	open    int           // how many there are at most; 0: any number
	wait    time.Duration // how long to wait for one
	recycle time.Duration // how old one gets; 0: any age
}

// What SQLAlchemy's QueuePool has by default.
const (
	poolSize    = 5
	maxOverflow = 10
)

// idleTime is how long a connection stays open that nobody needs: shorter than what
// firewalls commonly allow.
const idleTime = 4 * time.Minute

// passedOver are the options of SQLAlchemy's engine that mean nothing here: they are
// about Python, about logging, or about what this store does in its own way.
var passedOver = strings.Fields(`url echo echo_pool hide_parameters logging_name pool_logging_name
	pool_pre_ping pool_use_lifo pool_reset_on_return poolclass pool isolation_level
	encoding convert_unicode strategy future implicit_returning case_sensitive label_length
	max_identifier_length paramstyle module executemany_mode executemany_batch_page_size
	executemany_values_page_size use_batch_mode use_native_unicode server_side_cursors use_native_hstore
	client_encoding json_serializer json_deserializer query_cache_size listeners execution_options
	native_datetime use_insertmanyvalues insertmanyvalues_page_size empty_in_strategy enable_from_linting
	plugins skip_autocommit_rollback prefer_ansi_joins use_ansi`)

// engineOptions reads what engine_from_config would get (sqlalchemy/engine/create.py).
func engineOptions(options map[string]string, timeout time.Duration) (pool, error) {
	p := pool{wait: timeout}
	size, overflow := poolSize, maxOverflow
	for _, name := range slices.Sorted(maps.Keys(options)) {
		bare := strings.TrimPrefix(name, "sa.")
		var n int
		var err error
		switch bare {
		case "pool_size", "max_overflow", "pool_recycle":
			n, err = strconv.Atoi(strings.TrimSpace(options[name]))
		case "pool_timeout":
			p.wait, err = seconds(options[name])
		}
		switch {
		case err != nil:
			return pool{}, fmt.Errorf("%s is not a number", name)
		case bare == "pool_size":
			size = n
		case bare == "max_overflow":
			overflow = n
		case bare == "pool_recycle" && n > 0:
			p.recycle = time.Duration(n) * time.Second
		case bare == "pool_recycle", bare == "pool_timeout", slices.Contains(passedOver, bare):
		case bare == "connect_args":
			return pool{}, fmt.Errorf("%s is a dict of Python: give its entries in the query of the url", name)
		case bare == "creator":
			return pool{}, fmt.Errorf("%s is a function of Python: give a url instead", name)
		default:
			return pool{}, fmt.Errorf("%s: SQLAlchemy has no such option that is known here", name)
		}
	}
	if p.wait <= 0 {
		p.wait = timeout
	}
	p.idle = size
	if size <= 0 { // QueuePool: no limit
		p.idle = poolSize
	} else if overflow >= 0 { // -1: no limit
		p.open = size + overflow
	}
	return p, nil
}

// apply sets up db. Memory that a connection holds alone is one connection for good.
func (p pool) apply(db *sql.DB, alone bool) {
	if alone {
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
		return
	}
	db.SetMaxOpenConns(p.open)
	db.SetMaxIdleConns(p.idle)
	db.SetConnMaxLifetime(p.recycle)
	db.SetConnMaxIdleTime(idleTime)
}

// seconds reads a number of seconds as Python's drivers have it.
func seconds(text string) (time.Duration, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n >= 0 && n < 1e9) {
		return 0, strconv.ErrSyntax
	}
	return time.Duration(n * float64(time.Second)), nil
}
