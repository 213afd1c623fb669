//! `runtime`: scripts.

use super::section;
use crate::config::types::{Environment, Secret};

section! {
    /// Scripts: where they are, and what they may use up.
    Runtime at "runtime." [runtime] {
        /// Values that scripts see as their environment, as `KEY=VALUE`; merged by key over all sources.
        env: Environment = Environment::default(), not_built("the script runtime");
        /// Folder with script modules. Empty means `modules` in the data folder.
        path: String = String::new(), not_built("the script runtime");
        /// Key for calling scripts by HTTP without a session.
        http_key: Secret = "defaulthttpkey".into(), required, public_default;
        /// Fewest Lua machines.
        min_count: u32 = 0, deprecated("runtime.lua_min_count");
        /// Fewest Lua machines, over all shards.
        lua_min_count: u32 = 16, not_built("the script runtime");
        /// Most Lua machines.
        max_count: u32 = 0, deprecated("runtime.lua_max_count");
        /// Most Lua machines, over all shards.
        lua_max_count: u32 = 48, at_least(1), not_built("the script runtime");
        /// Fewest JavaScript machines, over all shards.
        js_min_count: u32 = 16, not_built("the script runtime");
        /// Most JavaScript machines, over all shards.
        js_max_count: u32 = 32, at_least(1), not_built("the script runtime");
        /// Deepest nesting of Lua calls.
        call_stack_size: u32 = 0, deprecated("runtime.lua_call_stack_size");
        /// Deepest nesting of Lua calls.
        lua_call_stack_size: u32 = 128, at_least(1), not_built("the script runtime");
        /// Size of a Lua machine's registry.
        registry_size: u32 = 0, deprecated("runtime.lua_registry_size");
        /// Size of a Lua machine's registry.
        lua_registry_size: u32 = 512, at_least(128), ignored("LuaJIT sizes its registry by itself");
        /// Most events that wait for their handlers.
        event_queue_size: usize = 65_536, at_least(1), not_built("the script runtime");
        /// Workers that handle events.
        event_queue_workers: u32 = 8, at_least(1), ignored("each shard handles its own events");
        /// Makes Lua's global tables read-only.
        read_only_globals: bool = true, deprecated("runtime.lua_read_only_globals");
        /// Makes Lua's global tables read-only.
        lua_read_only_globals: bool = true, not_built("the script runtime");
        /// Makes JavaScript's globals read-only.
        js_read_only_globals: bool = true, not_built("the script runtime");
        /// Puts Lua stack traces into errors that clients see.
        lua_api_stacktrace: bool = false, not_built("the script runtime");
        /// The JavaScript bundle, relative to `runtime.path`.
        js_entrypoint: String = String::new(), not_built("the script runtime");
    }
}

impl Runtime {
    /// Fewest Lua machines, from whichever of the two keys is set.
    pub fn effective_lua_min_count(&self) -> u32 {
        if self.min_count == 0 { self.lua_min_count } else { self.min_count }
    }

    /// Most Lua machines, from whichever of the two keys is set.
    pub fn effective_lua_max_count(&self) -> u32 {
        if self.max_count == 0 { self.lua_max_count } else { self.max_count }
    }

    /// Deepest nesting of Lua calls, from whichever of the two keys is set.
    pub fn effective_lua_call_stack_size(&self) -> u32 {
        if self.call_stack_size == 0 { self.lua_call_stack_size } else { self.call_stack_size }
    }

    /// Whether Lua's global tables are read-only: either key may turn it off.
    pub fn effective_lua_read_only_globals(&self) -> bool {
        self.read_only_globals && self.lua_read_only_globals
    }
}
