-- Gives one delivery a slot or a place in its line. Idempotent.
--
-- KEYS  6 event (string), with a nonce only: a single node
-- ARGV  7 event  8 published, ms  9 expires, ms ('' never)  10 lifetime of a settled record, ms
--       11 nonce ('' none): go on only if the event that stands there has it
-- Answer: 'other' if it has not; else {runs to enqueue {{event, run, queue}, …}, wake-up}; this delivery's run, if it has
--         a slot, and others that were released with it. No runs: waits, gone, not sent, or settled.
-- Cost: O(log line + log out) and one record, times the runs released.
local event, published = ARGV[7], ARGV[8]
if ARGV[11] ~= '' and redis.call('GETRANGE', KEYS[6], 17, 20) ~= ARGV[11] then return 'other' end
local ep = endpoint()
local key = record(event)
local r = redis.call('HMGET', key, 'run', 'q', 'st')
if r[3] then return {{}, {}} end
if r[1] then
  if redis.call('ZSCORE', OUT, event) then return {{{event, r[1], r[2]}}, {}} end
  return {{}, {}}
end
if (ep.gone or ep.disabled) and not redis.call('ZSCORE', LINE, event) then
  redis.call('HSET', key, 'v', '1', 'st', ep.gone and 'cancelled' or 'notSent', 'up', now)
  redis.call('PEXPIRE', key, ARGV[10])
  return {{}, {}}
end

redis.call('ZADD', DUE, 'LT', now + 5000, ARGV[6]) -- a publisher's clock may be ahead
if ARGV[9] ~= '' then
  redis.call('HSET', key, 'v', '1', 'exp', ARGV[9])
  redis.call('PEXPIRE', key, ARGV[4])
end
-- The rate is for the claim: a worker has the clock to wake it.
if not closed(ep) and redis.call('EXISTS', LINE) == 0 then
  return {{start(event, published)}, {}}
end
redis.call('ZADD', LINE, 'NX', published, event)
return {release(ep), wakeup(ep)}
