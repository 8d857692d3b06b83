-- Takes up to n pending tasks of an Asynq queue, each of them as Asynq v0.26.0 takes one, and at most half of what is pending,
-- so that other workers find some too. The lists and the leases are written once for all. Since when a task was pending stays
-- in its hash, where Asynq deletes it: nobody asks that of an active one, and it need not be put back. A retry writes it anew, but
-- not one that somebody has run at once with asynqmon: until it is taken that one seems to have waited since it was tried last.
-- Keys:      1 pending; 2 paused; 3 active; 4 lease; 5 the mark that giveback.lua leaves; all of one queue
-- Arguments: 1 the lease, in Unix seconds, whose fraction tells this batch from others; 2 how the tasks' keys begin; 3 n
-- Answer:    id and message of each task, the next one first
-- Cost:      O(n)
local call = redis.call
local n = math.min(tonumber(ARGV[3]), math.ceil(call('LLEN', KEYS[1]) / 2))
if n < 1 or call('EXISTS', KEYS[2], KEYS[5]) > 0 then -- in this order, as most that find nothing find nothing pending
  return {}
end

local taken, leases, answer = {}, {}, {}
local pending = call('LRANGE', KEYS[1], -n, -1)
for i = n, 1, -1 do
  local id = pending[i]
  local key = ARGV[2] .. id
  local message = redis.pcall('HGET', key, 'msg')
  if type(message) == 'string' then -- else its hash is gone, or is none: it can never run, and Asynq would leave it active
    call('HSET', key, 'state', 'active') -- the first write is one that a full Redis refuses: then nothing is taken
    taken[#taken + 1] = id
    leases[#leases + 1] = ARGV[1]
    leases[#leases + 1] = id
    answer[#answer + 1] = id
    answer[#answer + 1] = message
  end
end
call('LTRIM', KEYS[1], 0, -n - 1)
if #taken > 0 then
  call('LPUSH', KEYS[3], unpack(taken))
  call('ZADD', KEYS[4], unpack(leases))
end
return answer
