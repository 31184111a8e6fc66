-- As load.lua, but each connection waits between its requests, PAUSE_MS on average: by default 16 connections ask some
-- 200 times a second.
dofile((debug.getinfo(1, "S").source:sub(2):match("(.*/)") or "./") .. "load.lua")
local pause = tonumber(os.getenv("PAUSE_MS") or "72")
function delay() return math.floor(2 * pause * math.random()) end
