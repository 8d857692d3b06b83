-- Puts an event's marker in the place of its body, if the event is still as it was when its deliveries were looked at.
--
-- KEYS  1 event (string)   2 admitting (sorted set, member: brand:event)
-- ARGV  1 its first 21 bytes as they were read then (event.go)  2 member of admitting  3 how long a hold lasts, s
-- Answer: 1; 0 when it was changed or is held, or when its fan-out is not finished.
-- Cost: O(size).
if redis.call('GETRANGE', KEYS[1], 0, 20) ~= ARGV[1] or redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 0 end
local a, b, c, d = string.byte(ARGV[1], 18, 21)
local held = tonumber(redis.call('TIME')[1]) - (((a * 256 + b) * 256 + c) * 256 + d)
if math.abs(held) < tonumber(ARGV[3]) then return 0 end
local left = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1]) -- first, so that a full Redis does not refuse: it will have more room
redis.call('SET', KEYS[1], 'm' .. string.sub(ARGV[1], 2, 17), 'PX', math.max(left, 1))
return 1
