-- Ends tasks of one Asynq queue, each as the done script of Asynq v0.26.0 ends one, and counts them together.
-- An id is in active once, as only what is in no list or set becomes pending, and only what is pending becomes active: so one
-- is enough to be removed, where Asynq looks for more. What was taken first is at the end of active, and mostly ends first.
-- Keys:      1 active; 2 lease; 3 the day's count; 4 the count of all days; 5 and on the tasks' hashes; all of one queue
-- Arguments: 1 when the day's count expires, in Unix seconds; 2 where the count of all days begins again; 3 and on the tasks' ids
-- Answer:    the places, from 1, of those that Asynq's script does not find
-- Cost:      O(tasks), and O(tasks · active) at worst
local call, missing, leases, tasks = redis.call, {}, {}, {}
local leased = call('ZMSCORE', KEYS[2], unpack(ARGV, 3))
local whole = call('EXISTS', unpack(KEYS, 5)) == #KEYS - 4
for i = 3, #ARGV do
  local id, task = ARGV[i], KEYS[i + 2]
  local active = call('LREM', KEYS[1], '-1', id) == 1 and leased[i - 2]
  if active then
    leases[#leases + 1] = id
  end
  if active and (whole or call('EXISTS', task) == 1) then
    tasks[#tasks + 1] = task
  else
    missing[#missing + 1] = i - 2
  end
end
if #leases > 0 then
  call('ZREM', KEYS[2], unpack(leases))
end
if #tasks > 0 then
  call('DEL', unpack(tasks))
end
local n = #ARGV - 2 - #missing
if n == 0 then
  return missing
end

if call('INCRBY', KEYS[3], n) == n then
  call('EXPIREAT', KEYS[3], ARGV[1])
end
local most, total = tonumber(ARGV[2]), tonumber(call('GET', KEYS[4]) or 0)
if total < most - 4096 then -- up there, Lua's numbers are a thousand apart
  call('INCRBY', KEYS[4], n)
  return missing
end
for _ = 1, n do
  if tonumber(call('GET', KEYS[4])) == most then
    call('SET', KEYS[4], 1)
  else
    call('INCR', KEYS[4])
  end
end
return missing
