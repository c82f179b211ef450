mod bodies;
mod estimates;
mod forms;
mod naive;
mod precedence;
mod reach;
