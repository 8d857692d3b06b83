package redisstore

import (
	"context"
	"strconv"
	"strings"
	"time"

	"go.smobi.com/outhook/dispatcher/webhook"
)

// ServerState is what a server says of itself to whoever looks for trouble.
type ServerState struct {
	webhook.ServerInfo
	// Up is how long it has been running.
	Up time.Duration
	// AOFFails says that it could not write its append-only file, RewriteFails that it could not rewrite it, and
	// SnapshotFails that it could not save the last snapshot.
	AOFFails, RewriteFails, SnapshotFails bool
	// Replicas are those that are connected.
	Replicas []Replica
}

// Replica is a copy of a server, as that one sees it.
type Replica struct {
	// Online: it has all that there was when it connected. Else it is being sent that.
	Online bool
	// Lag is since when it has not been heard of.
	Lag time.Duration
	// Behind is how much it has not confirmed yet, in bytes.
	Behind int64
}

// ServerStates asks the server, or every master of a cluster, by INFO; by address. Of one that says nothing of
// itself everything is zero but its address. Errors: [webhook.ErrUnavailable].
func (s *Store) ServerStates(ctx context.Context) ([]ServerState, error) {
	return eachServer(ctx, s.rdb, func(address, text string) ServerState {
		f := infoFields(text)
		state := ServerState{
			ServerInfo: readInfo(text), Up: seconds(f["uptime_in_seconds"]),
			AOFFails: f["aof_last_write_status"] == "err", RewriteFails: f["aof_last_bgrewrite_status"] == "err",
			SnapshotFails: f["rdb_last_bgsave_status"] == "err",
		}
		state.Address = address
		for i := range number(f["connected_slaves"]) {
			if line, ok := f["slave"+strconv.FormatInt(i, 10)]; ok {
				state.Replicas = append(state.Replicas, readReplica(line, number(f["master_repl_offset"])))
			}
		}
		return state
	})
}

// readReplica reads "ip=…,port=…,state=online,offset=…,lag=…"; written is how far its master is.
func readReplica(line string, written int64) Replica {
	f := map[string]string{}
	for pair := range strings.SplitSeq(line, ",") {
		name, value, _ := strings.Cut(pair, "=")
		f[name] = value
	}
	return Replica{Online: f["state"] == "online", Lag: seconds(f["lag"]), Behind: max(0, written-number(f["offset"]))}
}

func seconds(text string) time.Duration { return time.Duration(number(text)) * time.Second }
