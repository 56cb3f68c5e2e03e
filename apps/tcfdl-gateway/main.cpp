// HTTP task calls into sealed tasks, inside a TEE.
#include "gateway/program.hpp"

int main() { return tcfdl::gateway::run(); }
