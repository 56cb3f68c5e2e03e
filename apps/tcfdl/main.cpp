#include "cli/run.hpp"

int main(int argc, char** argv) { return tcfdl::cli::run(argc, argv); }
