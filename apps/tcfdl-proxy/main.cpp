// The TEE proxy of a node.
#include "tee_proxy/program.hpp"

int main(int argc, char** argv) { return tcfdl::tee_proxy::run(argc, argv); }
