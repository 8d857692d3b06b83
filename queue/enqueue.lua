-- Makes tasks pending in one Asynq queue, each as the enqueue script of Asynq v0.26.0 makes one. A task that is there is left as
-- it is.
-- Keys:      1 pending; 2 and on the tasks' hashes; all of one queue
-- Arguments: for each task its message, its id and the time in nanoseconds
-- Answer:    how many are new
-- Cost:      O(tasks)
local call, new = redis.call, {}
local some = call('EXISTS', unpack(KEYS, 2)) > 0
for i = 2, #KEYS do
  local at = 3 * i - 5
  if not (some and call('EXISTS', KEYS[i]) == 1) and
    call('HSET', KEYS[i], 'msg', ARGV[at], 'state', 'pending', 'pending_since', ARGV[at + 2]) > 0 then -- 0: named twice here
    new[#new + 1] = ARGV[at + 1]
  end
end
if #new > 0 then
  call('LPUSH', KEYS[1], unpack(new))
end
return #new
