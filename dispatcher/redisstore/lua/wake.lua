-- Releases what may run now.
--
-- ARGV  7 '1': a breaker or a Retry-After that holds the line back lets one through before its time
-- Answer: {runs released {{event, run, queue}, …}, wake-up}.
-- Cost: as release.
drains()
local ep = endpoint()
if ep.gone then return {{}, {}} end
if ep.woken > 0 then
  redis.call('HDEL', ENDPOINT, 'wk')
  ep.woken = 0
end
if ARGV[7] == '1' and (now < ep.pause or ep.opened > 0 and now < ep.opens) then
  -- A half-open breaker: what comes of the one decides, and its failure is no reason for a longer rest than this one.
  ep.pause, ep.opens, ep.opened = 0, now, math.max(1, ep.opened - 1)
  ep.limit = 1
  redis.call('HSET', ENDPOINT, 'ra', 0, 'bo', ms(ep.opens), 'bn', ep.opened)
end
local runs = release(ep)
return {runs, wakeup(ep)}
