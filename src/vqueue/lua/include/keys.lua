--[[ The keys of one queue, the same nine for every script (vqueue/keys.py says
what each holds). Job keys share the hash tag and are derived from the prefix. ]]
local meta, ready, express = KEYS[1], KEYS[2], KEYS[3]
local prioritized, delayed, completed, failed = KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local wake, ev = KEYS[8], KEYS[9]
local prefix = string.sub(meta, 1, -5)
local children = prefix .. 'children'
local jobs_prefix = prefix .. 'j:'
local home = prefix -- of the queue that the script was called for: flow.lua enters others
local GROUP = 'workers'

local function job_key(id) return jobs_prefix .. id end
local function live_key(id) return jobs_prefix .. id .. ':x' end
local function log_key(id) return jobs_prefix .. id .. ':log' end
local function partials_key(id) return prefix .. 'part:' .. id end
local function tombstone_key(id) return prefix .. 'gone:' .. id end
