module gohttp

go 1.27
