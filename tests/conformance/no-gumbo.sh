echo "SKIP: gumbo is not here to compare with (libgumbo-dev)"
exit 77
