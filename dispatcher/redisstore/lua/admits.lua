-- Shared by the scripts that admit deliveries.

-- admits gives deliveries to the endpoint, {event, published, ms, expires, ms ('' never), …}, a slot or a place in its line each; it
-- is idempotent. settled: lifetime of a settled record, ms. Answers {runs to enqueue {{event, run, queue}, …}, wake-up}. The runs: of
-- those admitted here or before that have a slot, and of others that were released with them. No run has what waits, is gone, not
-- sent, or settled.
local function admits(deliveries, settled)
  local ep = endpoint()
  local runs, slots, line = {}, {}, {}
  -- The rate is for the claim: a worker has the clock to wake it.
  local open = not closed(ep) and redis.call('EXISTS', LINE) == 0

  local keys = {}
  for i = 1, #deliveries, 3 do keys[#keys + 1] = record(deliveries[i]) end
  local known = redis.call('EXISTS', unpack(keys)) > 0

  local function admit(event, published, expires)
    local key = record(event)
    local r = known and redis.call('HMGET', key, 'run', 'q', 'st') or {}
    if r[3] then return end
    if r[1] then
      if redis.call('ZSCORE', OUT, event) then runs[#runs + 1] = {event, r[1], r[2]} end
      return
    end
    if (ep.gone or ep.disabled) and not redis.call('ZSCORE', LINE, event) then
      redis.call('HSET', key, 'v', '1', 'st', ep.gone and 'cancelled' or 'notSent', 'up', now)
      redis.call('PEXPIRE', key, settled)
      return
    end
    if #slots + #line == 0 then redis.call('ZADD', DUE, 'LT', now + 5000, MEMBER) end -- a publisher's clock may be ahead
    if expires ~= '' then
      redis.call('HSET', key, 'v', '1', 'exp', expires)
      redis.call('PEXPIRE', key, ARGV[4])
    end
    local to = open and #slots / 2 < free(ep) and slots or line
    local first, second = event, published
    if to == line then first, second = published, event end
    to[#to + 1], to[#to + 2] = first, second
  end

  for i = 1, #deliveries, 3 do admit(deliveries[i], deliveries[i + 1], deliveries[i + 2]) end
  for _, run in ipairs(start(ep, slots, true)) do runs[#runs + 1] = run end
  if #line == 0 then return {runs, {}} end
  redis.call('ZADD', LINE, 'NX', unpack(line))
  for _, run in ipairs(release(ep)) do runs[#runs + 1] = run end
  return {runs, wakeup(ep)}
end
