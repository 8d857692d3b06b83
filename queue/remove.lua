-- Takes a task out of its Asynq queue, wherever it or its remains are. Asynq's own deletion refuses active tasks and leaves
-- those whose hash and sets disagree.
-- Keys:      1 the task's hash; 2 pending; 3 active; 4 lease; 5 scheduled; 6 retry; 7 archived; 8 completed; all of one queue
-- Arguments: 1 the task's id
-- Answer:    how many places it was found in
-- Cost:      O(pending + active) of that queue; only what may run now is in it
local found = redis.call('DEL', KEYS[1])
for i = 2, 3 do
  found = found + redis.call('LREM', KEYS[i], 0, ARGV[1])
end
for i = 4, 8 do
  found = found + redis.call('ZREM', KEYS[i], ARGV[1])
end
return found
