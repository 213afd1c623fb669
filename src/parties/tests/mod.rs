mod calls;
mod client;
mod listing;
mod property;
mod world;
