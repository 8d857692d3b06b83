-- Gives one process at a time its turn at some work.
--
-- KEYS  1 lock (string)
-- ARGV  1 now, ms  2 how long it lasts, ms  3 who asks
-- Answer: 1; 0 while it is another's. Whose it is may ask again.
-- Cost: O(1).
local till, whose = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (.*)$')
if till and tonumber(till) > tonumber(ARGV[1]) and whose ~= ARGV[3] then return 0 end
redis.call('DEL', KEYS[1]) -- first, so that a full Redis does not refuse: this is to make room
redis.call('SET', KEYS[1], string.format('%.0f ', ARGV[1] + ARGV[2]) .. ARGV[3], 'PX', ARGV[2])
return 1
