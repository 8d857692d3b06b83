-- Shared by the scripts that write events down.

-- write writes an event down, packed (event.go: format byte, 16 bytes of digest, 4 of this publish, …), unless its id is taken.
-- Answers what event.lua says of it, and whether it was written now.
local function write(event, packed, lifetime, admitting, member)
  local stored = redis.call('SET', event, packed, 'PX', lifetime, 'NX', 'GET')
  if not stored then return {'new'}, true end
  if stored == packed then return {'new'} end -- our own command, resent by the client
  if not string.find(stored, '^[1tm]') then return {'unknown', stored} end
  if string.sub(stored, 2, 17) ~= string.sub(packed, 2, 17) then return {'conflict'} end
  if redis.call('ZSCORE', admitting, member) then return {'unfinished', stored} end
  return {'duplicate', stored}
end
