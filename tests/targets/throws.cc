// SPDX-License-Identifier: Apache-2.0
// "throws N": throws N times, and catches. libstdc++ has static probes there (libsupc++/eh_throw.cc
// and eh_catch.cc), in Debian's package, too.
#include <cstdlib>

int main(int argc, char **argv)
{
	for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--) {
		try {
			throw i;
		} catch (int) {
		}
	}
	return 0;
}
