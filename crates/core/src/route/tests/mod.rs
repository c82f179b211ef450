mod bodies;
mod estimates;
mod forms;
mod keys;
mod naive;
mod precedence;
mod reach;
