# gobeaker in an image without anything else: docker build -t gobeaker .
#
#   docker run -p 8080:8080 -v ./gobeaker.toml:/etc/gobeaker/gobeaker.toml:ro gobeaker
#
# In the gobeaker.toml, listen = "0.0.0.0:8080". With [admin] listen = "127.0.0.1:9901",
# --health-cmd '/gobeaker ping http://127.0.0.1:9901/ready' makes Docker look after it.
# There are no variables in the image that would override the file.
#
# It runs as user 65532. To share the files of a Python application's data_dir, run it as
# that application's user (--user UID:GID): both write the same files.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN scripts/build --binary /gobeaker ${VERSION:+--version "$VERSION"}

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/share/zoneinfo /usr/share/zoneinfo
COPY --from=build /gobeaker /gobeaker
USER 65532:65532
WORKDIR /etc/gobeaker
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/gobeaker"]
CMD ["serve"]
