mod calls;
mod client;
mod listing;
mod property;
mod seek;
mod world;
