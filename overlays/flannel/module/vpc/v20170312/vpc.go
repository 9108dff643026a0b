// Package v20170312 stands in for Tencent Cloud's SDK of the same path, which not every module
// proxy serves. It has the names that Flannel's tencent-vpc backend compiles against; every call
// fails. The lab never uses that backend.
package v20170312

import "errors"

var errLeftOut = errors.New("built without the Tencent Cloud backend")

type Client struct{}

type Filter struct {
	Name   *string
	Values []*string
}

type Route struct {
	RouteId              *uint64
	DestinationCidrBlock *string
	GatewayType          *string
	GatewayId            *string
	RouteType            *string
	Enabled              *bool
}

type RouteTable struct {
	RouteTableId *string
	RouteSet     []*Route
}

type DescribeRouteTablesRequest struct{ Filters []*Filter }

type DeleteRoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

type CreateRoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

type DescribeRouteTablesResponse struct {
	Response *struct{ RouteTableSet []*RouteTable }
}

type Response struct{}

func NewClientWithSecretId(_, _, _ string) (*Client, error) { return nil, errLeftOut }
func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}
func NewDeleteRoutesRequest() *DeleteRoutesRequest                   { return &DeleteRoutesRequest{} }
func NewCreateRoutesRequest() *CreateRoutesRequest                   { return &CreateRoutesRequest{} }
func (*Client) DeleteRoutes(*DeleteRoutesRequest) (*Response, error) { return nil, errLeftOut }
func (*Client) CreateRoutes(*CreateRoutesRequest) (*Response, error) { return nil, errLeftOut }
func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errLeftOut
}
