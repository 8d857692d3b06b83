-- Tells what has become of tasks of one Asynq queue, all in one moment, and changes nothing.
-- Keys:      1 pending; 2 active; 3 lease; 4 scheduled; 5 retry; 6 and on the tasks' hashes; all of one queue
-- Arguments: 1 seconds that a lease may be over; 2 longest pending list to look through; 3 and on the tasks' ids
-- Answer:    for each task alive, missing, abandoned, ended or orphaned
-- Cost:      O(tasks), O(active) when one of them says that it is active, and O(pending) when one says that it is pending
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

local lists = {}
local function listed(key, id)
  if not lists[key] then
    lists[key] = {}
    for _, member in ipairs(redis.call('LRANGE', key, 0, -1)) do
      lists[key][member] = true
    end
  end
  return lists[key][id]
end

local function alive(found)
  return found and 'alive' or 'orphaned'
end

local tooLong
local judge = {}

function judge.pending(id)
  if tooLong == nil then
    tooLong = redis.call('LLEN', KEYS[1]) > tonumber(ARGV[2])
  end
  return alive(tooLong or listed(KEYS[1], id))
end

function judge.active(id, lease)
  return lease and listed(KEYS[2], id) and 'abandoned' or 'orphaned'
end

function judge.scheduled(id) return alive(redis.call('ZSCORE', KEYS[4], id)) end
function judge.retry(id) return alive(redis.call('ZSCORE', KEYS[5], id)) end
function judge.archived() return 'ended' end
function judge.completed() return 'ended' end

local answer = {}
for i = 6, #KEYS do
  local state, id = redis.call('HGET', KEYS[i], 'state'), ARGV[i - 3]
  local lease = redis.call('ZSCORE', KEYS[3], id)
  if lease and now - tonumber(lease) <= tonumber(ARGV[1]) then
    table.insert(answer, 'alive') -- whatever else is wrong: somebody works on it
  elseif not state then
    table.insert(answer, 'missing')
  else
    table.insert(answer, judge[state] and judge[state](id, lease) or 'alive')
  end
end
return answer
