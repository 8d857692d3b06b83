-- Raises an event's lifetime, and keeps its body from becoming a marker for a while: one of its deliveries is about to begin
-- once more. The nonce gives way to the time, s: whoever looked at the event before finds it changed.
--
-- KEYS  1 event (string)
-- ARGV  1 lifetime, ms  2 how much of the event to answer, bytes
-- Answer: its beginning as it is from now on; '' when there is none.
-- Cost: O(answered).
if redis.call('GETRANGE', KEYS[1], 0, 0) == '1' then
  redis.call('PEXPIRE', KEYS[1], ARGV[1], 'GT')
  local t = tonumber(redis.call('TIME')[1])
  redis.call('SETRANGE', KEYS[1], 17,
    string.char(math.floor(t / 16777216) % 256, math.floor(t / 65536) % 256, math.floor(t / 256) % 256, t % 256))
end
return redis.call('GETRANGE', KEYS[1], 0, ARGV[2] - 1)
