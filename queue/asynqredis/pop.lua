-- Takes up to n pending tasks of an Asynq queue, each of them as Asynq v0.26.0 takes one, and at most half of what is pending,
-- so that other workers find some too. What Redis refuses when it is out of memory comes before what takes away.
-- Keys:      1 pending; 2 paused; 3 active; 4 lease; 5 the mark that giveback.lua leaves; all of one queue
-- Arguments: 1 the lease, in Unix seconds, whose fraction tells this batch from others; 2 how the tasks' keys begin; 3 n
-- Answer:    id, message and pending_since (or '') of each task, the next one first
-- Cost:      O(n)
if redis.call('EXISTS', KEYS[2], KEYS[5]) > 0 then
  return {}
end
local n = math.min(tonumber(ARGV[3]), math.ceil(redis.call('LLEN', KEYS[1]) / 2))
if n == 0 then
  return {}
end

local listed, answer, ids, leases = redis.call('LRANGE', KEYS[1], -n, -1), {}, {}, {}
for i = n, 1, -1 do
  local id = listed[i]
  local found = redis.call('HMGET', ARGV[2] .. id, 'msg', 'pending_since')
  if found[1] then -- else its hash is gone, and it can never run
    table.insert(ids, id)
    table.insert(leases, ARGV[1])
    table.insert(leases, id)
    table.insert(answer, id)
    table.insert(answer, found[1])
    table.insert(answer, found[2] or '')
  end
end
if #ids > 0 then
  redis.call('LPUSH', KEYS[3], unpack(ids))
  redis.call('ZADD', KEYS[4], unpack(leases))
end
for _, id in ipairs(ids) do
  redis.call('HSET', ARGV[2] .. id, 'state', 'active')
  redis.call('HDEL', ARGV[2] .. id, 'pending_since')
end
redis.call('RPOP', KEYS[1], n)
return answer
