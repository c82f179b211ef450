mod bodies;
mod estimates;
mod forms;
