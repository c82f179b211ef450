mod turns;
mod world;
