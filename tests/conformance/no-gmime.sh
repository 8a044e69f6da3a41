echo "SKIP: GMime is not here to compare with (libgmime-3.0-dev)"
exit 77
