-- Changes an endpoint, if it is still the one that was read, and releases what may run.
--
-- ARGV  7 the revision that was read  8 settings  9 reason it is disabled ('' enabled)
--       10 its own limit in flight (0 none)  11 rate limit, tokens a second (0 none)  12 its burst
--       13 '1': it is sent to otherwise than before, or again, so that its Retry-After and breaker begin anew
-- Answer: {'updated', runs released {{event, run, queue}, …}, wake-up}; {'changed'}: another revision stands,
--         that of this command, if the client sent it twice, too; {'gone'}: no such endpoint, or a deleted one.
-- Cost: as release.
local ep = endpoint()
if ep.gone then return {'gone'} end
if ep.rev ~= ARGV[7] then return {'changed'} end
-- First, so that a full Redis does not refuse what follows: disabling must always be possible.
if ARGV[9] == '' or not ep.disabled then redis.call('HDEL', ENDPOINT, 'disabledAt', 'disabledBy') end
redis.call('HSET', ENDPOINT, 'settings', ARGV[8], 'limit', ARGV[10])
redis.call('HDEL', ENDPOINT, 'rate', 'burst', 'wk') -- the wake-up is arranged anew
if ARGV[13] == '1' then redis.call('HDEL', ENDPOINT, 'ra', 'bf', 'bn', 'bo', 'ff', 'fn') end
if ARGV[11] ~= '0' then
  redis.call('HSET', ENDPOINT, 'rate', ARGV[11], 'burst', ARGV[12])
  -- Tokens are not given back by a change: what was taken is as many steps of the new limit, which has no more than its own burst.
  local step = 1000 / tonumber(ARGV[11])
  local taken = ep.step and math.ceil(math.max(0, ep.tat - now) / ep.step) or 0
  redis.call('HSET', ENDPOINT, 'tat', string.format('%.3f', now + math.min(taken, tonumber(ARGV[12])) * step))
end
if ARGV[9] ~= '' then
  redis.call('HSET', ENDPOINT, 'disabled', ARGV[9])
else
  redis.call('HDEL', ENDPOINT, 'disabled')
end
raise(ep)
ep = endpoint()
local runs = release(ep)
return {'updated', runs, wakeup(ep)}
