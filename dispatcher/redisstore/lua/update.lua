-- Changes an endpoint, if it is still the one that was read, and releases what may run.
--
-- ARGV  7 the revision that was read  8 settings  9 reason it is disabled ('' enabled)
--       10 its own limit in flight (0 none)  11 rate limit, tokens a second (0 none)  12 its burst
-- Answer: {'updated', runs released {{event, run, queue}, …}, wake-up}; {'changed'}: another revision stands,
--         that of this command, if the client sent it twice, too; {'gone'}: no such endpoint, or a deleted one.
-- Cost: as release.
local ep = endpoint()
if ep.gone then return {'gone'} end
if ep.rev ~= ARGV[7] then return {'changed'} end
-- First, so that a full Redis does not refuse what follows: disabling must always be possible.
redis.call('HDEL', ENDPOINT, 'disabledAt') -- the settings have a time of their own now
redis.call('HSET', ENDPOINT, 'settings', ARGV[8], 'limit', ARGV[10])
redis.call('HDEL', ENDPOINT, 'rate', 'burst', 'ra', 'bf', 'bn', 'bo', 'tat', 'wk') -- whoever changed it wants to see what it does now
if ARGV[11] ~= '0' then redis.call('HSET', ENDPOINT, 'rate', ARGV[11], 'burst', ARGV[12]) end
if ARGV[9] ~= '' then
  redis.call('HSET', ENDPOINT, 'disabled', ARGV[9])
else
  redis.call('HDEL', ENDPOINT, 'disabled')
end
raise(ep)
ep = endpoint()
local runs = release(ep)
return {'updated', runs, wakeup(ep)}
