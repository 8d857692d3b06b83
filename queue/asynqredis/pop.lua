-- Takes up to n pending tasks of an Asynq queue, each of them as Asynq v0.26.0 takes one, and at most half of what is pending,
-- so that other workers find some too.
-- Keys:      1 pending; 2 paused; 3 active; 4 lease; 5 the mark that giveback.lua leaves; all of one queue
-- Arguments: 1 the lease, in Unix seconds, whose fraction tells this batch from others; 2 how the tasks' keys begin; 3 n
-- Answer:    id, message and pending_since (or '') of each task, the next one first
-- Cost:      O(n)
if redis.call('EXISTS', KEYS[2], KEYS[5]) > 0 then
  return {}
end
local n = math.min(tonumber(ARGV[3]), math.ceil(redis.call('LLEN', KEYS[1]) / 2))

local answer, leases = {}, {}
for _ = 1, n do
  local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[3])
  local key = ARGV[2] .. id
  local found = redis.call('HMGET', key, 'msg', 'pending_since')
  if found[1] then
    redis.call('HSET', key, 'state', 'active')
    redis.call('HDEL', key, 'pending_since')
    table.insert(leases, ARGV[1])
    table.insert(leases, id)
    table.insert(answer, id)
    table.insert(answer, found[1])
    table.insert(answer, found[2] or '')
  else -- its hash is gone: it can never run, and Asynq would leave it here
    redis.call('LREM', KEYS[3], 1, id)
  end
end
if #leases > 0 then
  redis.call('ZADD', KEYS[4], unpack(leases))
end
return answer
