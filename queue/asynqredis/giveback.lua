-- Puts tasks that pop.lua took back to the head of their queue, in their old order. A task that is no longer active with that
-- very lease is left alone: somebody else has it now.
-- Keys:      1 pending; 2 active; 3 lease; 4 the mark of the batch; all of one queue
-- Arguments: 1 the batch's lease; 2 how the tasks' keys begin; 3 and on the ids of the tasks. Without any the
--            whole batch is undone: nobody saw the answer, and if the pop comes only now it finds the mark and takes nothing
-- Answer:    how many are back
-- Cost:      O(active), and O(batch · active) at worst
redis.call('ZREM', KEYS[3], '') -- after a write that takes no room a full Redis lets the others pass
local ours = {}
for i = 3, #ARGV do ours[ARGV[i]] = true end
if #ARGV == 2 then
  redis.call('SET', KEYS[4], '', 'EX', 60)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[1], ARGV[1])) do ours[id] = true end
end
if not next(ours) then
  return 0
end

local back = 0
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do -- what was taken last comes first
  if ours[id] and tonumber(redis.call('ZSCORE', KEYS[3], id) or 0) == tonumber(ARGV[1]) then
    local key = ARGV[2] .. id
    if redis.call('EXISTS', key) == 1 then
      redis.call('HSET', key, 'state', 'pending')
      redis.call('RPUSH', KEYS[1], id)
      back = back + 1
    end
    redis.call('LREM', KEYS[2], 1, id)
    redis.call('ZREM', KEYS[3], id)
  end
end
return back
