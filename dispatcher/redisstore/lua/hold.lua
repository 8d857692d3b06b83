-- Raises events' lifetimes, and keeps their bodies from becoming markers for a while: one of their deliveries is about to begin
-- once more. The nonce gives way to the time, s: whoever looked at an event before finds it changed.
--
-- KEYS  events (strings)
-- ARGV  1 lifetime, ms  2 how much of an event to answer, bytes
-- Answer: of each its beginning as it is from now on; '' when there is none.
-- Cost: O(answered).
local t = tonumber(redis.call('TIME')[1])
local nonce = string.char(math.floor(t / 16777216) % 256, math.floor(t / 65536) % 256, math.floor(t / 256) % 256, t % 256)
local starts = {}
for i, event in ipairs(KEYS) do
  local format = redis.call('GETRANGE', event, 0, 0)
  if format == '1' or format == 't' then
    redis.call('PEXPIRE', event, ARGV[1], 'GT')
    redis.call('SETRANGE', event, 17, nonce)
  end
  starts[i] = redis.call('GETRANGE', event, 0, ARGV[2] - 1)
end
return starts
