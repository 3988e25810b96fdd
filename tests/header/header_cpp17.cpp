// holt.h as a C++17 program sees it.
#include "use_header.h"

int main()
{
    return use_header();
}
